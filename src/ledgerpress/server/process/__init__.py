"""The server process: uvicorn, connection limits, sockets."""
