import os
import signal
import sys

import waitress

from tickets.app import app

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
waitress.serve(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
