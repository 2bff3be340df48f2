"""Convert fp32 to fp16 and int8."""
