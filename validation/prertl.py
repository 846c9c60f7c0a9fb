"""draft"""
from onnx import ModelProto
from simulator.workload.onnx_import import *
