"""Fine-tuned transformers. Of all folders only this one and encoding may import torch."""
