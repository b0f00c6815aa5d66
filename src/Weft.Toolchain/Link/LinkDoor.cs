using Weft.Core;

namespace Weft.Toolchain.Link;

public static class LinkDoor
{
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments) => throw new WeftException("not built yet");
}
