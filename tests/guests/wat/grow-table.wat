(table $table 1 funcref)
(func (export "transform") (param i32) (result i32)
  (loop $on
    (br_if $on (i32.ne (table.grow $table (ref.null func) (i32.const 30000)) (i32.const -1))))
  (unreachable))
