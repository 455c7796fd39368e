"""`dbtool switch` and `dbtool current`: which profile is active, here and from now on."""
