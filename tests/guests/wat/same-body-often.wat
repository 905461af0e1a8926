;; A thousand messages that share one body of a mebibyte: little for the guest, a
;; gibibyte for whoever copies it.
(memory (export "memory") 64)
(data (i32.const 4096) "\00\00\00\00" "\02\00\00\00" "\00\20\00\00" "\e8\03\00\00")
(func (export "transform") (param i32) (result i32)
  (local $at i32)
  (local.set $at (i32.const 8192))
  (loop $on
    (i32.store (local.get $at) (i32.const 1))
    (i32.store offset=4 (local.get $at) (i32.const 0x100000))
    (i32.store offset=8 (local.get $at) (i32.const 0x100000))
    (local.set $at (i32.add (local.get $at) (i32.const 84)))
    (br_if $on (i32.lt_u (local.get $at) (i32.const 92192))))
  (i32.const 4096))
