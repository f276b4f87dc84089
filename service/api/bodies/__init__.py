"""Bodies that are neither JSON nor safetensors: forms, CSV files and zips of class folders."""
