"""The validator node: protobuf requests in, protobuf answers out. No sockets and no gRPC in here."""
