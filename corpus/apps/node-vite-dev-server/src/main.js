import { tides } from './tides.js'

const list = document.querySelector('#tides')
for (const { hour, height } of tides(new Date())) {
  const item = document.createElement('li')
  item.textContent = `${hour}:00 ${height.toFixed(1)} m`
  list.append(item)
}
