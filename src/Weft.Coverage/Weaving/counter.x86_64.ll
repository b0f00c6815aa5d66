; One instruction, so that a signal handler that counts too comes before or after it, never between its halves.
define weak_odr hidden void @weft.coverage.add(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  call void asm "addq $1, $0", "=*m,er,*m,~{dirflag},~{fpsr},~{flags}"(ptr elementtype(i64) %counter, i64 %amount, ptr elementtype(i64) %counter) nounwind willreturn memory(argmem: readwrite)
  ret void
}

; --coverage-counters binary: the module's own counters, which the runtime maps into the file where they are. Looked at first: a
; line that every thread writes to goes from processor to processor, which takes twenty times as long. Assembly, since the
; optimiser would copy and arrange code around branches; what runs once lies behind the function.
define weak_odr hidden void @weft.coverage.set(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  %never = icmp eq i64 %amount, 0
  br i1 %never, label %done, label %hit

hit:
  call void asm "cmpb $$0, $0\0A\09je 2f\0A1:\0A\09.subsection 1\0A2:\09movb $$1, $0\0A\09jmp 1b\0A\09.previous", "=*m,*m,~{dirflag},~{fpsr},~{flags}"(ptr elementtype(i8) %counter, ptr elementtype(i8) %counter) nounwind willreturn memory(argmem: readwrite)
  br label %done

done:
  ret void
}
