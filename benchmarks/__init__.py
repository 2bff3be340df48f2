"""Side-by-side comparisons; each prints ratios against its peers from one run."""
