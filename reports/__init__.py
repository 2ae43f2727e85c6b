"""Results turned into what people look at: tables and grids."""
