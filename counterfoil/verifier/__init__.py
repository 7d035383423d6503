"""Offline verdicts: is this evidence whole, and under whose key?  Pure: bytes in, verdict out.

Nothing here reads a file, a socket or a clock; `counterfoil.client.evidence` brings the bytes.
"""
