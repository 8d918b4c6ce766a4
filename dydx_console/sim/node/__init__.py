"""The validator node's queries: protobuf requests in, protobuf answers out. No sockets and no gRPC in here."""
