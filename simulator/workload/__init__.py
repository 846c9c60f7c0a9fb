"""Networks as graphs of layers: from ONNX files, the built-in zoo and SCALE-Sim topologies."""
