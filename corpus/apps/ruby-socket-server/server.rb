# frozen_string_literal: true

require "json"
require "socket"

# Answers with the departures of timetable.json, which lies beside this file.
TIMETABLE = JSON.parse(File.read(File.join(__dir__, "timetable.json")))

def page
  rows = TIMETABLE.map { |ferry| "#{ferry["leaves"]} to #{ferry["to"]}" }
  "The ferries are running\n#{rows.join("\n")}\n"
end

trap("TERM") { exit }
server = TCPServer.new("0.0.0.0", 8080)
loop do
  client = server.accept
  while (line = client.gets) && !line.strip.empty?
  end
  body = page
  client.print "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\n" \
               "Connection: close\r\n\r\n#{body}"
  client.close
end
