using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>What lets counts gather in local variables, as long as none of the observers looks; a word is the type of a count.</summary>
internal sealed record Gathering(Marks Marks, Observers Observers, Builder Builder, LlvmType Word);
