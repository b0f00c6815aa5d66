; One instruction, so that a signal handler that counts too comes before or after it, never between its halves.
define weak_odr hidden void @weft.coverage.add(ptr %counter, i64 %amount) alwaysinline nounwind noprofile {
  call void asm "addq $1, $0", "=*m,er,*m,~{dirflag},~{fpsr},~{flags}"(ptr elementtype(i64) %counter, i64 %amount, ptr elementtype(i64) %counter) nounwind willreturn memory(argmem: readwrite)
  ret void
}
