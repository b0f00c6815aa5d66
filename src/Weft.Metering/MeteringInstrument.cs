using Weft.Core;
using Weft.Llvm;

namespace Weft.Metering;

public sealed class MeteringInstrument : IInstrument
{
    public string Name => "metering";

    public string Description => "count the work a program does, deterministically";

    public IReadOnlyList<InstrumentOption> Options { get; } = [];

    public IReadOnlyList<Stage> Stages => [Stage.Front];

    public bool WantsCanonicalIr => true;

    public IReadOnlyList<string> SharedSymbols => ["__weft_metering_*"];

    public void Weave(Module module, WeaveContext context) { }
}
