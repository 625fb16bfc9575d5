using Humanizer;

var builder = WebApplication.CreateBuilder(args);
var app = builder.Build();
var berths = builder.Configuration.GetValue("Berths", 4);

app.UseStaticFiles();
app.MapGet("/", () => $"{"mooring".ToQuantity(berths)} free in the harbour\n");

app.Run();
