"""Controls that read the annotation. They show what a perfect prediction of one kind would score."""
