;; Each of them stays below the limit.
(memory $more 1)
(func (export "transform") (param i32) (result i32)
  (loop $on
    (drop (memory.grow 0 (i32.const 100)))
    (br_if $on (i32.ne (memory.grow $more (i32.const 100)) (i32.const -1))))
  (unreachable))
