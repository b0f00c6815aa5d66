using Weft.Core;

namespace Weft.Toolchain.Cargo;

public static class CargoDoor
{
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments) => throw new WeftException("not built yet");
}
