"""The learned head, run by numpy and ONNX Runtime. The code in `torch/` trains and exports it."""
