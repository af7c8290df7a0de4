"""ePUAP's side of the gateway: SOAP, wire names, and the contracts we serve. Nothing here decides or stores."""
