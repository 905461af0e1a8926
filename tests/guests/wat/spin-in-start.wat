;; Never comes to its first call: start functions are guest code.
(func $spin (loop $on (br $on)))
(start $spin)
