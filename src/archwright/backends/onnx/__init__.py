"""ONNX: the graph as a model, int8, and onnxruntime. Import from the modules."""
