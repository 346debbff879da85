"""The encoder that rdmf carries: two ONNX towers, run by ONNX Runtime."""
