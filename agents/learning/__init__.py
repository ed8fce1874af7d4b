"""What caches learn from before they run: training of Darwin's clusters and predictors. Needs scikit-learn."""
