;; Only both together are above the limit.
(memory (export "memory") 600)
(memory $more 600)
