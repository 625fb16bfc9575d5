from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from notes.models import Note, Visit


def index(request):
    Visit.objects.create()
    return render(request, "notes/index.html", {"notes": Note.objects.all()[:20], "visits": Visit.objects.count()})


@require_POST
def add(request):
    text = request.POST.get("text", "").strip()
    if text:
        Note.objects.create(text=text[:200])
    return redirect("index")
