"""ONNX: conversion of the graph, int8, and onnxruntime. Import from the modules."""
