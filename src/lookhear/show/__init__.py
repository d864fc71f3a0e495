"""All that a person looks at is drawn here: heat, films, plots, pages."""
