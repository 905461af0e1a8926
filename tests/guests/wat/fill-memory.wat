;; One instruction that takes milliseconds, again and again.
(memory (export "memory") 512)
(func (export "transform") (param i32) (result i32)
  (loop $on
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (br $on))
  (unreachable))
