"""IB's protocol: bytes to frames, frames to layouts, names and codes. Pure; knows nothing of recording."""
