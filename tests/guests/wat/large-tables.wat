;; Only both together are above the limit.
(table $one 60000 funcref)
(table $two 60000 funcref)
