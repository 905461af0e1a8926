(table $table 10000000 funcref)
