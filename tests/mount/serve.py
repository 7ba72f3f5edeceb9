#!/usr/bin/env python3
"""serve.py FILE COMMAND...: runs a command, with the address of a web server that has this one file."""

import functools
import http.server
import os
import subprocess
import sys
import threading


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


file, command = sys.argv[1], sys.argv[2:]
handler = functools.partial(Handler, directory=os.path.dirname(file))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/{os.path.basename(file)}"
sys.exit(subprocess.call([*command, address]))
