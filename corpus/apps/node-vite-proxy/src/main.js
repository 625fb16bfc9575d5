const answer = await fetch('/api/tickets')
document.querySelector('p').append(`: ${await answer.text()}`)
