; Volatile, so that the value is not kept in a register where a signal handler that counts too would miss it.
define weak_odr hidden void @weft.coverage.add(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  %before = load volatile i64, ptr %counter, align 8
  %after = add i64 %before, %amount
  store volatile i64 %after, ptr %counter, align 8
  ret void
}

; --coverage-counters binary: the module's own counters, which the runtime maps into the file where they are. Looked at first: a
; line that every thread writes to goes from processor to processor, which takes twenty times as long.
define weak_odr hidden void @weft.coverage.set(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  %never = icmp eq i64 %amount, 0
  br i1 %never, label %done, label %hit

hit:
  %known = load atomic i8, ptr %counter monotonic, align 8
  %new = icmp eq i8 %known, 0
  br i1 %new, label %first, label %done, !prof !0

first:
  store atomic i8 1, ptr %counter monotonic, align 8
  br label %done

done:
  ret void
}

!0 = !{!"branch_weights", i32 1, i32 1048575}
