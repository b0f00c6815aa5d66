; Volatile, so that the value is not kept in a register where a signal handler that counts too would miss it.
define weak_odr hidden void @weft.coverage.add(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  %before = load volatile i64, ptr %counter, align 8
  %after = add i64 %before, %amount
  store volatile i64 %after, ptr %counter, align 8
  ret void
}
