using Newtonsoft.Json;

namespace Tally.Core;

public static class Report
{
    public static string Of(string text) =>
        JsonConvert.SerializeObject(text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).CountBy(word => word));
}
