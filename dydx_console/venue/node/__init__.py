"""Validator nodes: the read half, over gRPC.

Nothing is imported here, because grpc takes longer to load than all that is shown first.
"""
