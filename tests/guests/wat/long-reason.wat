;; Drops the event for a reason of 512 KiB, in control characters.
(data (i32.const 4096) "\00\00\00\00" "\03\00\00\00" "\00\00\02\00" "\00\00\08\00")
(func (export "transform") (param i32) (result i32) (i32.const 4096))
