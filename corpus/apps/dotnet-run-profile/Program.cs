var app = WebApplication.CreateBuilder(args).Build();

app.MapGet("/", () => $"the lamps are lit for {app.Environment.EnvironmentName}\n");
app.Run();
