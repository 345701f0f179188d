"""Many nets and methods on one data set: each trained by its recipe, all scored and timed in one run."""
