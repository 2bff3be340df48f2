"""pneumo-train: fine-tunes an ImageNet ResNet50 on chest films and measures it as medicine does."""
