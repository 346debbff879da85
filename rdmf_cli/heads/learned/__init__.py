"""The learned head, by numpy and ONNX Runtime alone; `torch/` holds what trains and exports it."""
