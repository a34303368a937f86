"""Returns all events of a project at once; Bugsink's own API requires one request per event."""
from collections import Counter

from bugsink.decorators import login_exempt
from django.http import HttpResponse, JsonResponse
from django.urls import path
from events.models import Event


@login_exempt
def events(request, project):
    stored = Event.objects.filter(project=project).order_by("project_digest_order").values_list("data", flat=True)
    return HttpResponse("[" + ",".join(stored) + "]", content_type="application/json")


@login_exempt
def issues(request, project):
    counts = Counter(Event.objects.filter(project=project).values_list("issue_id", flat=True))
    return JsonResponse(sorted(counts.values()), safe=False)


urlpatterns = [
    path("harness/events/<int:project>", events),
    path("harness/issues/<int:project>", issues),
]
