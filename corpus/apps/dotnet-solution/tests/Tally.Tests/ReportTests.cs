using Tally.Core;
using Xunit;

public class ReportTests
{
    [Fact]
    public void CountsWords() => Assert.Contains("\"Key\":\"a\",\"Value\":2", Report.Of("a b a"));
}
