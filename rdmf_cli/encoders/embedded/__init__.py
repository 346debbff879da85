"""The encoder that is part of rdmf: two ONNX towers, run by ONNX Runtime."""
