using Weft.Core;

namespace Weft.Tests;

public sealed class InParallelTests
{
    [Fact]
    public void Results_keep_the_order_of_the_things() =>
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => i * 2), InParallel.Map(Enumerable.Range(0, 1000).ToList(), i => i * 2));

    [Fact]
    public void Of_several_failures_the_first_in_order_is_told()
    {
        var told = Assert.Throws<WeftException>(() => InParallel.Map(Enumerable.Range(0, 1000).ToList(), i => i < 300 ? i : throw new WeftException($"{i}")));
        Assert.Equal("300", told.Message);
    }
}
